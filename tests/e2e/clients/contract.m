% clients/matlab does in Octave what lines of JSON on standard input tell it, and tells in lines of JSON what came.
%
%   CLIENT=clients/matlab octave-cli --quiet contract.m
%   {"act": "connect", "url": ..., "key": ...}            {"done": true}
%   {"act": "listen", "channel": ..., "n": 3, ...}        {"sample": {...}} for each, {"done": {"position", "heard", "lost"}}
%   {"act": "publish", "channel": ..., "data": ...}       {"done": readers}
%   {"act": "call", "procedure": ..., "args": [...], ...} {"done": result}
%   {"act": "latest"}, {"act": "history"}, {"act": "array", "value": ...}
% What is raised: {"error": identifier, "message": text}. Other members are options of the same name. The end of input
% is the end.
1;

function tell(name, value)
  printf('%s\n', jsonencode(struct(name, {value})));
  fflush(stdout);
end

function given = options(command, own)
  names = setdiff(fieldnames(command)', [{'act'}, own]);
  given = cell(1, 0);
  for i = 1:numel(names)
    given = [given, names(i), {command.(names{i})}];
  end
end

function [radio, value] = carried_out(radio, command)
  switch command.act
    case 'connect'
      radio = radiod.Radio(command.url, options(command, {'url'}){:});
      value = true;
    case 'listen'
      more = options(command, {'channel'});
      [position, heard, lost] = radio.listen(command.channel, @(sample) tell('sample', sample), more{:});
      value = struct('position', position, 'heard', heard, 'lost', lost);
    case 'publish'
      value = radio.publish(command.channel, command.data);
    case 'call'
      args = {};
      if isfield(command, 'args')
        args = command.args;
        if ~iscell(args)
          args = num2cell(args);
        end
      end
      value = radio.call(command.procedure, args, options(command, {'procedure', 'args'}){:});
    case 'latest'
      value = radio.latest(command.channel);
    case 'history'
      value = radio.history(command.channel, options(command, {'channel'}){:});
    case 'array'
      value = radiod.decode_array(command.value);
  end
end

addpath(getenv('CLIENT'));
radio = [];
line = fgetl(stdin);
while ischar(line)
  try
    [radio, value] = carried_out(radio, radiod.internal.from_json(line));
    tell('done', value);
  catch trouble
    printf('%s\n', jsonencode(struct('error', trouble.identifier, 'message', trouble.message)));
    fflush(stdout);
  end
  line = fgetl(stdin);
end
