"""The cloud's pages for people: server-rendered, live by server-sent events, complete without JavaScript."""
