"""From what was delivered to conformed entities: the bronze and the silver layer."""
