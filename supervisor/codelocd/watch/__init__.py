"""Which locations are no longer what their files say: file events, judged by content."""
