"""What the product's speed and memory are, measured; results stand in bench/results, one file a run."""
