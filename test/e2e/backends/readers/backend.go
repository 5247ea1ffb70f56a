// A backend as a Go programmer writes it: net/http cleans and decodes paths, encoding/json reads bodies.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
)

type payment struct {
	Amount float64 `json:"amount"`
	Tokens float64 `json:"tokens"`
	Payee  string  `json:"payee"`
}

type reading struct {
	Handler string   `json:"handler"`
	Path    string   `json:"path"`
	Payment *payment `json:"payment,omitempty"`
}

func answer(handler string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		read := reading{Handler: handler, Path: r.URL.Path}
		if r.ContentLength > 0 {
			read.Payment = &payment{}
			if err := json.NewDecoder(r.Body).Decode(read.Payment); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		w.Header().Set("content-type", "application/json")
		json.NewEncoder(w).Encode(read)
	}
}

func main() {
	http.HandleFunc("/go/transfers", answer("transfers"))
	http.HandleFunc("/go/transfers/", answer("transfers"))
	http.HandleFunc("/", answer("other"))
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		panic(err)
	}
	fmt.Println("listening on " + os.Getenv("PORT"))
	panic(http.Serve(listener, nil))
}
