"""From tests to numbers: pure, and exact to the millisecond."""
