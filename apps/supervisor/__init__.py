"""``make run``: the whole service as one supervised group of processes."""
