"""Table in, figure out: a module for each notebook's charts, `parts` they share, and one `style`."""
