"""Values as text, and back: pydantic models, errors, collections; encrypted if there are keys."""
