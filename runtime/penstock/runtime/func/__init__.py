"""The two decorators that make workflows of functions: `@entrypoint` and `@task`."""
