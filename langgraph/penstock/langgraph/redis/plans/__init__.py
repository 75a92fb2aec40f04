"""What a saver asks of Redis, as plans without IO."""
