"""Quality: what must hold before a generation is published."""
