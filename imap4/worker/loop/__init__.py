"""The event loop: many tasks in one thread, each waiting for its socket, its thread or its time."""
