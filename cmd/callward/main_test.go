package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"callward": main})
}

// TestScript runs the behaviour of each command as it is written down in testdata/script.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CALLWARD_CONFIG", env.WorkDir+"/site/callward.yaml")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"site":     site,
			"seed":     seed,
			"asterisk": scriptedAsterisk,
			"mode":     mode,
			"exit":     exit,
			"flip":     flip,
		},
	})
}
