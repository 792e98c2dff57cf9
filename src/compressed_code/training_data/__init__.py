"""What the zoo learns from: source files by language and licence, and generated tasks with their tests."""
