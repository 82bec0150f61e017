"""Load: publishing a finished generation to the target that readers open."""
