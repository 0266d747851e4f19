// Package captures reads what people caught of single answers: the stream of one as it came over the wire, each line with the instant at which it arrived.
//
//	curl -sN -D headers.txt URL -d @ask.json | ts %.s > stream.txt
//	assay import --stream stream.txt,headers=headers.txt
//
// is enough to learn how evenly a model writes. What the capture does not tell, such as when the request was sent, is not made up: option sent says it.
package captures
