"""Looking at a run: the report page, its charts, and the numbers behind them."""
