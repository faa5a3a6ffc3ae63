"""The demonstration: an invented company, pushed through the doors that its real peers come through.

It must not know the services behind them.
"""
