package policy

func newPolicy(name string, params Params) *Policy {
	p := &Policy{name: name, params: params}
	return p
}
