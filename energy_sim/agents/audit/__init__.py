"""What was done and why: the hash-chained audit log, whether it holds, and CSV logs."""
