"""The port between the engine and what stores its work: events, endings, step ids, protocols."""
