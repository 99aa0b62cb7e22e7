package main

import (
	"context"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari/arigen/spec"
)

func TestGoName(t *testing.T) {
	for in, want := range map[string]string{"channelId": "ChannelID", "external_host": "ExternalHost", "cause_txt": "CauseTxt",
		"rtpstatistics": "Rtpstatistics", "deviceStates": "DeviceStates", "sendDTMF": "SendDTMF", "channel_ids": "ChannelIDs",
		"media_uri": "MediaURI", "originateWithId": "OriginateWithID", "transfer_progress": "TransferProgress"} {
		assert.Equal(t, want, goName(in))
	}
}

func TestGenerate(t *testing.T) {
	files := map[string]string{
		"resources.json": `{"apis":[{"path":"/api-docs/events.{format}"}]}`,
		"events.json": `{"apis":[{"path":"/events/{eventName}","operations":[
			{"httpMethod":"POST","nickname":"tell","responseClass":"List[Channel]","parameters":[
				{"name":"eventName","paramType":"path","dataType":"string"},
				{"name":"endpoint","paramType":"query","dataType":"string"},
				{"name":"variables","paramType":"body","dataType":"containers"}]}]}],
			"models":{"Message":{"subTypes":["Event"],"properties":{"type":{"type":"string","required":true}}},
				"Event":{"subTypes":["StasisStart"],"properties":{"timestamp":{"type":"Date"}}},
				"StasisStart":{"properties":{"args":{"type":"List[string]"},"channel":{"type":"Channel","required":true},"replace_channel":{"type":"Channel"}}},
				"Channel":{"properties":{"id":{"type":"string","required":true},"name":{"type":"string"}}}}}`,
	}
	s, err := spec.Load(context.Background(), func(_ context.Context, f string) ([]byte, error) { return []byte(files[f]), nil })
	require.NoError(t, err)
	out, err := generate(s)
	require.NoError(t, err)
	for name, text := range out {
		_, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		assert.NoError(t, err, name)
	}
	assert.Contains(t, string(out["events_gen.go"]), "Args           []Private `json:\"args,omitempty\"`")
	assert.Contains(t, string(out["events_gen.go"]), "ReplaceChannel *Channel")
	assert.Contains(t, string(out["ops_events_gen.go"]), `q.private("endpoint", r.Endpoint, false)`)
	assert.Contains(t, string(out["arigen/spec/generated_gen.go"]), "package spec")
	again, err := generate(s)
	require.NoError(t, err)
	assert.Equal(t, out, again, "the same description gives the same files")
}
