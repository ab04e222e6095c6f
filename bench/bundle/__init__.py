"""Results that travel: records with the arrays behind them, so that anybody can compute every number anew, offline."""
