"""What a process tells of its runs to logs, traces and metrics."""
