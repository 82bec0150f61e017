"""What was delivered, unchanged: immutable Parquet parts and the landing log over them."""
