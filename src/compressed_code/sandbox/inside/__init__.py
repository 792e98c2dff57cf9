"""The part of the sandbox that runs inside the jail; it needs nothing but the standard library."""
