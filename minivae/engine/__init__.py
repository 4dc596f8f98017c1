"""What a long training needs and no chapter teaches: files, resuming, speed, processes, clusters, imports."""
