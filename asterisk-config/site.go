// Package asteriskconfig holds what Asterisk runs with: the annotated configuration
// templates, the dialplan and the texts of the prompts, all embedded.
//
// What may never live here: a module that records a call to a plain file (the bench
// variant, which the shipped configuration cannot become by accident, is the one
// exception), a log level that prints digits or numbers, a listener without TLS, or
// a secret. Package lab fills a Site in and starts Asterisk; package prompts turns
// the texts into sound.
package asteriskconfig

// Phone is one SIP account over TLS with mandatory SRTP: a trunk of patients'
// calls, an interpreter, an emergency trunk.
type Phone struct {
	// ID is the endpoint's name and the user it authenticates as: PJSIP/<ID>.
	ID string
	// Password authenticates what the phone sends and, when Contact is set, what is
	// sent to it. Empty only with Match.
	Password string
	// CallerIDName is shown to the party it calls. Empty: what the phone itself says.
	CallerIDName string
	// Contact is the SIP URI of a phone that does not register, for example
	// "sips:trunk.example.org". Empty: the phone registers.
	Contact string
	// Match lists addresses (IP or CIDR) whose calls belong to this endpoint
	// without a password. For carriers that do not authenticate.
	Match []string
}

// AgentPhone is an agent's SIP account. ID is the endpoint's whole name
// ("agent-alice", reached as PJSIP/agent-alice).
type AgentPhone struct {
	ID           string
	Password     string
	CallerIDName string
}

// Site is everything the templates leave open. Every path is absolute.
type Site struct {
	// ModulesDir and DataDir come with Asterisk (astmoddir, astdatadir).
	ModulesDir, DataDir string
	// VarDir, SpoolDir, RunDir and LogDir belong to this one Asterisk. Render makes
	// them with mode 0700. Nothing in SpoolDir is ever a recording: its "recording"
	// is made a plain empty file, which no directory can replace.
	VarDir, SpoolDir, RunDir, LogDir string

	// SIPBind and HTTPSBind are host:port. HTTPS carries ARI and media websockets
	// and must be a loopback address.
	SIPBind, HTTPSBind string
	// RTPStart and RTPEnd bound the UDP ports of media.
	RTPStart, RTPEnd int
	// RTPTimeout ends a call whose party sends no media, in seconds. 0 means 30.
	RTPTimeout int

	// CertFile, KeyFile and CAFile are PEM files for SIP and HTTPS.
	CertFile, KeyFile, CAFile string

	// App is the Stasis application, ARIUser and ARIPassword its account.
	App, ARIUser, ARIPassword string
	// FastAGI is host:port of our FastAGI server, for dialplans that use it.
	FastAGI string

	// PromptsDir is where package prompts renders: en/away, es/away, hold/.
	PromptsDir string

	Agents       []AgentPhone
	Patients     []Phone // trunks, and in the lab the patients' softphones
	Interpreters []Phone
	// Emergency is tried in order for 911, 933 and 988. At least one is needed.
	Emergency []Phone

	// Bench adds contexts and the MixMonitor module that benchmarks compare with.
	// It records to plain files. Never in service.
	Bench bool
}
