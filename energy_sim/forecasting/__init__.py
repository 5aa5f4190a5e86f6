"""What will be consumed and produced: one signature, several models."""
