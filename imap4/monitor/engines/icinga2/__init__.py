"""Icinga 2."""
