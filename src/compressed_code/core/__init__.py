"""What every folder stands on: errors, paths, whole files, hashes, stored tables, the frame of a command line."""
