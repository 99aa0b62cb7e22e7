package softphone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/callward/callward/internal/g711"
)

var errWAV = errors.New("softphone: WAV")

const (
	wavPCM  = 1
	wavULaw = 7
)

// ReadWAV reads a mono 8 kHz WAV file of 16-bit PCM or mu-law.
func ReadWAV(path string) ([]int16, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWAV, err)
	}
	return parseWAV(raw)
}

// parseWAV walks the chunks of a RIFF file.
func parseWAV(raw []byte) ([]int16, error) {
	if len(raw) < 12 || string(raw[:4]) != "RIFF" || string(raw[8:12]) != "WAVE" {
		return nil, fmt.Errorf("%w: not a RIFF WAVE file", errWAV)
	}
	format := 0
	for rest := raw[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), int(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		body = body[:min(size, len(body))]
		switch name {
		case "fmt ":
			if len(body) < 16 {
				return nil, fmt.Errorf("%w: format chunk is short", errWAV)
			}
			format = int(binary.LittleEndian.Uint16(body))
			channels, rate := binary.LittleEndian.Uint16(body[2:]), binary.LittleEndian.Uint32(body[4:])
			bits := binary.LittleEndian.Uint16(body[14:])
			if channels != 1 || rate != g711.Rate || (format == wavPCM) != (bits == 16) || format != wavPCM && format != wavULaw {
				return nil, fmt.Errorf("%w: want mono, 8000 Hz, 16-bit PCM or mu-law", errWAV)
			}
		case "data":
			switch format {
			case wavPCM:
				return bytesToPCM(body), nil
			case wavULaw:
				return g711.DecodeAll(body), nil
			}
			return nil, fmt.Errorf("%w: data before its format", errWAV)
		}
		rest = rest[min(8+len(body)+size&1, len(rest)):]
	}
	return nil, fmt.Errorf("%w: no data", errWAV)
}

func bytesToPCM(raw []byte) []int16 {
	pcm := make([]int16, len(raw)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return pcm
}

// WriteWAV writes a mono 8 kHz WAV file of 16-bit PCM.
func WriteWAV(path string, pcm []int16) error {
	raw := make([]byte, 44, 44+2*len(pcm))
	copy(raw, "RIFF....WAVEfmt ")
	binary.LittleEndian.PutUint32(raw[4:], uint32(36+2*len(pcm)))
	binary.LittleEndian.PutUint32(raw[16:], 16)
	binary.LittleEndian.PutUint16(raw[20:], wavPCM)
	binary.LittleEndian.PutUint16(raw[22:], 1)
	binary.LittleEndian.PutUint32(raw[24:], g711.Rate)
	binary.LittleEndian.PutUint32(raw[28:], 2*g711.Rate)
	binary.LittleEndian.PutUint16(raw[32:], 2)
	binary.LittleEndian.PutUint16(raw[34:], 16)
	copy(raw[36:], "data")
	binary.LittleEndian.PutUint32(raw[40:], uint32(2*len(pcm)))
	for _, s := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(s))
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return fmt.Errorf("%w: %w", errWAV, err)
	}
	return nil
}

// DecodeULaw returns the samples of raw mu-law, as Asterisk's .ulaw files are.
func DecodeULaw(raw []byte) []int16 { return g711.DecodeAll(raw) }
