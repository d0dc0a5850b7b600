"""Handing work over to a worker that serves, and what a program then still does itself."""
