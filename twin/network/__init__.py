"""The way of a telegram: NB-IoT cells, RS485 buses, cellular uplinks, and what cuts them off.

Everything here is a function over arrays (devices or telegrams), pure given its random arrays or
streams. Read ``settings`` first (what a scenario may say), then ``nbiot`` (latency, loss, random
access), ``rs485`` (poll cycles), ``uplink`` (gateways), ``outages`` (cells, feeders, vendors).
"""
