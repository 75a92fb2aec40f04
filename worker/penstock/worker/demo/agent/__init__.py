"""`penstock demo agent`: a LangGraph agent whose worker is killed while it speaks."""
