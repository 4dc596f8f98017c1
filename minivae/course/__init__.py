"""What only the chapters use: figures, explorers, and checks of the exercises."""
