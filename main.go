// Guanxi (关系) governs who may reach whom in a company's instant messaging.
package main

//go:generate go run ./graph/gen

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/guanxi-im/guanxi/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
