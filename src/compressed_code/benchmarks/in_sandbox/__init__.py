"""Code that runs inside the sandbox: read as text, never imported by what judges."""
