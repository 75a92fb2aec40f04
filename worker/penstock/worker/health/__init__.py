"""Whether a worker is alive and ready: checked in the process, asked over HTTP or by a file."""
