// Package controlpb is the gRPC contract of the control channel, generated from
// control.proto. Only packages control, server and client import it.
package controlpb

//go:generate protoc --plugin=protoc-gen-go=../../../bin/protoc-gen-go --plugin=protoc-gen-go-grpc=../../../bin/protoc-gen-go-grpc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative control.proto
