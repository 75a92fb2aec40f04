"""Points, values and writes of graphs in Redis: keys, scripts, plans without IO; no LangGraph."""
