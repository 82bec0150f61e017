"""The pipeline manager: planning, running and remembering runs."""
