"""After the disaster: finds every surviving trace of a notebook and rebuilds the best one."""
