"""Roads: from a map (OSM file, GraphML, place name, built-in township) to travel times.

Read :mod:`twin.roads.network` first (what a network is), then :mod:`twin.roads.build` (how raw map
ways become one, whatever their origin) and :mod:`twin.roads.travel` (seconds and metres by road).
"""
