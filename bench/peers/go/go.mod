module peer_go

go 1.24.0

require (
	github.com/puzpuzpuz/xsync/v4 v4.5.0
	golang.org/x/sync v0.17.0
)
