package recording

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Layout of the WAV stream (Multimedia Programming Interface and Data
// Specifications 1.0, 1991, for RIFF and INFO; format tag 7 from RFC 2361).
const (
	wavMuLaw    = 7
	wavUnknown  = 0x7FFFF000 // size of data whose end is not known, as sox writes it to a pipe
	wavMaxHead  = 64 << 10   // a header of ours is a few hundred bytes
	wavTimeForm = "2006-01-02T15:04:05.000Z07:00"
	software    = "Callward"
)

// INFO chunks of a recording.
const (
	infoName     = "INAM" // recording id
	infoSource   = "ISRC" // call id
	infoSubject  = "ISBJ" // consent id
	infoDate     = "ICRD" // start
	infoLanguage = "ILNG"
	infoComment  = "ICMT" // segment=N prompt=VERSION, and tail=BYTES in a tail
	infoSoftware = "ISFT"
)

// wavHeader is everything before the first sample. A tail's says at which byte
// of the whole recording's data its own begins; that of a whole recording is 0.
func wavHeader(h Header, tail int64) []byte {
	comment := fmt.Sprintf("segment=%d prompt=%s", h.Segment, h.PromptVersion)
	if tail > 0 {
		comment += fmt.Sprintf(" tail=%d", tail)
	}
	var info bytes.Buffer
	info.WriteString("INFO")
	for _, f := range [][2]string{
		{infoName, h.ID}, {infoSource, h.CallID}, {infoSubject, h.ConsentID},
		{infoDate, h.StartedAt.UTC().Format(wavTimeForm)}, {infoLanguage, h.Language},
		{infoComment, comment},
		{infoSoftware, software},
	} {
		writeChunk(&info, f[0], append([]byte(f[1]), 0))
	}
	var b bytes.Buffer
	b.WriteString("WAVE")
	writeChunk(&b, "fmt ", wavFormat())
	writeChunk(&b, "LIST", info.Bytes())
	b.WriteString("data")
	writeUint32(&b, wavUnknown)
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(wavUnknown+b.Len()))
	return append(head, b.Bytes()...)
}

func wavFormat() []byte {
	f := binary.LittleEndian.AppendUint16(nil, wavMuLaw)
	f = binary.LittleEndian.AppendUint16(f, 2)      // channels
	f = binary.LittleEndian.AppendUint32(f, rate)   // samples a second
	f = binary.LittleEndian.AppendUint32(f, 2*rate) // bytes a second
	f = binary.LittleEndian.AppendUint16(f, 2)      // bytes for one instant
	f = binary.LittleEndian.AppendUint16(f, 8)      // bits a sample
	return binary.LittleEndian.AppendUint16(f, 0)   // no extension
}

func writeUint32(b *bytes.Buffer, v uint32) {
	b.Write(binary.LittleEndian.AppendUint32(nil, v))
}

func writeChunk(b *bytes.Buffer, id string, body []byte) {
	b.WriteString(id)
	writeUint32(b, uint32(len(body)))
	b.Write(body)
	if len(body)%2 == 1 {
		b.WriteByte(0)
	}
}

// readWAV reads the header of a recording and leaves r at its first sample;
// tail is wavHeader's. Every error wraps ErrFormat, or is r's own.
func readWAV(r io.Reader) (h Header, tail int64, err error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return h, 0, err
	}
	if string(riff[:4]) != "RIFF" || string(riff[8:]) != "WAVE" {
		return h, 0, fmt.Errorf("%w: no WAV header", ErrFormat)
	}
	format := false
	for left := int64(wavMaxHead); ; {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return h, 0, err
		}
		id, n := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		if id == "data" {
			if !format {
				return h, 0, fmt.Errorf("%w: data before format", ErrFormat)
			}
			return h, tail, nil
		}
		padded := n + n%2
		if padded > left {
			return h, 0, fmt.Errorf("%w: a header chunk of %d bytes", ErrFormat, n)
		}
		left -= padded
		body := make([]byte, padded)
		if _, err := io.ReadFull(r, body); err != nil {
			return h, 0, err
		}
		body = body[:n]
		switch id {
		case "fmt ":
			if !bytes.Equal(body, wavFormat()) {
				return h, 0, fmt.Errorf("%w: not two channels of mu-law at %d Hz", ErrFormat, rate)
			}
			format = true
		case "LIST":
			if tail, err = readInfo(body, &h); err != nil {
				return h, 0, err
			}
		}
	}
}

func readInfo(b []byte, h *Header) (tail int64, err error) {
	if len(b) < 4 || string(b[:4]) != "INFO" {
		return 0, nil
	}
	for b = b[4:]; len(b) >= 8; {
		id, n := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if n > int64(len(b)) {
			return 0, fmt.Errorf("%w: INFO chunk runs over its list", ErrFormat)
		}
		value := string(bytes.TrimRight(b[:n], "\x00"))
		b = b[min(n+n%2, int64(len(b))):]
		switch id {
		case infoName:
			h.ID = value
		case infoSource:
			h.CallID = value
		case infoSubject:
			h.ConsentID = value
		case infoLanguage:
			h.Language = value
		case infoDate:
			at, err := time.Parse(wavTimeForm, value)
			if err != nil {
				return 0, fmt.Errorf("%w: start time is not RFC 3339", ErrFormat)
			}
			h.StartedAt = at.UTC()
		case infoComment:
			if tail, err = readComment(value, h); err != nil {
				return 0, err
			}
		}
	}
	return tail, nil
}

func readComment(s string, h *Header) (tail int64, err error) {
	for word := range strings.FieldsSeq(s) {
		k, v, _ := strings.Cut(word, "=")
		switch k {
		case "segment":
			h.Segment, err = strconv.Atoi(v)
		case "tail":
			tail, err = strconv.ParseInt(v, 10, 62)
		case "prompt":
			h.PromptVersion = v
		}
		if err != nil || tail < 0 {
			return 0, fmt.Errorf("%w: %s is not a count", ErrFormat, k)
		}
	}
	return tail, nil
}
