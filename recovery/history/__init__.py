"""What was done to which machine, the limits' figures, and one lock a machine."""
