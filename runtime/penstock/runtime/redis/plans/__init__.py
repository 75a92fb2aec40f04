"""What is to be read and written in Redis for a request, as plans without IO."""
