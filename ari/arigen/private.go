package main

// private names the members that can hold what a person keyed, who a person
// is, or a password, and the self-redacting type each gets.
var private = map[string]string{
	"AdditionalParam.parameter_value":   "Private",
	"ApplicationMoveFailed.args":        "[]Private",
	"BridgeBlindTransfer.exten":         "Private",
	"Bridge.bridgevars":                 "Vars",
	"CallBroadcast.called":              "Private",
	"CallBroadcast.caller":              "Private",
	"CallerID.name":                     "Private",
	"CallerID.number":                   "Private",
	"Channel.caller_rdnis":              "Private",
	"Channel.channelvars":               "Vars",
	"Channel.name":                      "Private",
	"ChannelDialplan.dialplan_app_data": "Private",
	"ChannelDtmfReceived.digit":         "Digits",
	"ChannelVarset.value":               "Private",
	"ConfigTuple.value":                 "Private",
	"ContactInfo.uri":                   "Private",
	"Dial.dialstring":                   "Private",
	"Dial.forward":                      "Private",
	"DialplanCEP.app_data":              "Private",
	"DialplanCEP.exten":                 "Private",
	"Playback.media_uri":                "Private",
	"Playback.next_media_uri":           "Private",
	"RESTHeader.value":                  "Private",
	"RESTQueryStringParameter.value":    "Private",
	"RESTRequest.message_body":          "Private",
	"RESTRequest.uri":                   "Private",
	"RESTResponse.message_body":         "Private",
	"RESTResponse.uri":                  "Private",
	"RequiredDestination.destination":   "Private",
	"StasisStart.args":                  "[]Private",
	"TextMessage.body":                  "Private",
	"TextMessage.from":                  "Private",
	"TextMessage.to":                    "Private",
	"TextMessage.variables":             "Vars",
	"Variables.variables":               "Vars",
	"Variable.value":                    "Private",
}

// privateParams are the request parameters of the same kind.
var privateParams = map[string]bool{
	"appArgs": true, "body": true, "callerId": true, "dtmf": true, "endpoint": true, "extension": true,
	"from": true, "media": true, "refer_to": true, "to": true, "value": true,
}
