"""What a workflow can do in this process: invoke, stream, batch, state, drawing, nested calls."""
