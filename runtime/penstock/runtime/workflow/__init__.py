"""Methods of a workflow in this process: invoke, stream, batch, state, drawing, nested calls."""
