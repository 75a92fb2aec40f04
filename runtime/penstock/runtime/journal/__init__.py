"""The port between the engine and its storage: events, endings, step ids, protocols."""
